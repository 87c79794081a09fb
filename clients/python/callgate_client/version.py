"""The version of the service that this client is made for; written by `make clients`."""

VERSION = "0.1.0"
