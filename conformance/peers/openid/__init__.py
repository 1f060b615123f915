"""A certified OpenID provider that nobody here wrote: node's `oidc-provider`, over HTTPS."""
