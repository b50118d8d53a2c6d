"""Prints docs/router-configuration.md."""

from postroom.providers.configuration.pages import router_page

if __name__ == "__main__":
    print(router_page(), end="")
