"""Documents as HTML: the page of topics and events, and the index of all documents."""
