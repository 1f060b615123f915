"""SQL, and nothing but SQL; and the bytes of documents."""
