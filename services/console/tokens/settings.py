"""Settings of the tokens that our own clients send."""

from services.chassis.settings.environment import Mixin, Text, settings


@settings
class TokenSettings(Mixin):
    """A token, or the file of a development issuer's private key to make tokens with; without both none is sent.

    `auth_issuer` and `auth_audience` are the claims of tokens that are made.
    """

    token: str = ""
    token_key_file: str = ""
    auth_issuer: Text = "eventline-development"
    auth_audience: Text = "eventline"

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        both = self.token and self.token_key_file
        return super().problems() + (["APP_TOKEN and APP_TOKEN_KEY_FILE exclude each other: give one"] if both else [])
