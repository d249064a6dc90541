"""The tour: stops on one running system, each of which demonstrates a property and checks it."""
