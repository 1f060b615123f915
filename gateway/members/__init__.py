"""Who may act: facilities with their contracts and certificates, users, neighbours."""
