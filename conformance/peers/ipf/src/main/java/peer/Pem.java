package peer;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Certificates and PKCS#8 keys out of PEM files, without a key store on disk. */
final class Pem {
    private static final Pattern KEY =
            Pattern.compile("-----BEGIN PRIVATE KEY-----(.+?)-----END PRIVATE KEY-----", Pattern.DOTALL);
    private static final char[] NO_PASSWORD = new char[0];

    private Pem() {}

    /** A certificate with its chain, and the private key that belongs to it. */
    record Identity(List<X509Certificate> chain, PrivateKey key) {
        /** Reads {@code NAME.pem} and {@code NAME.key}. */
        static Identity read(Path folder, String name) throws IOException, GeneralSecurityException {
            return new Identity(certificates(folder.resolve(name + ".pem")), readKey(folder.resolve(name + ".key")));
        }
    }

    static List<X509Certificate> certificates(Path file) throws IOException, GeneralSecurityException {
        var found = CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(Files.readAllBytes(file)));
        if (found.isEmpty()) {
            throw new GeneralSecurityException(file + " holds no certificate");
        }
        return found.stream().map(X509Certificate.class::cast).toList();
    }

    static PrivateKey readKey(Path file) throws IOException, GeneralSecurityException {
        var match = KEY.matcher(Files.readString(file, StandardCharsets.US_ASCII));
        if (!match.find()) {
            throw new GeneralSecurityException(file + " is no unencrypted PKCS#8 key (BEGIN PRIVATE KEY)");
        }
        var encoded = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(match.group(1)));
        for (var algorithm : List.of("RSA", "EC", "EdDSA")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(encoded);
            } catch (InvalidKeySpecException tryNext) {
                continue;
            }
        }
        throw new GeneralSecurityException(file + " holds a key of an unknown kind");
    }

    /** Key store in memory with one entry; without an identity it has none. */
    static KeyStore keys(Identity identity) throws IOException, GeneralSecurityException {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, NO_PASSWORD);
        if (identity != null) {
            store.setKeyEntry("peer", identity.key(), NO_PASSWORD, identity.chain().toArray(new Certificate[0]));
        }
        return store;
    }

    /** Trust store in memory with the authorities of one PEM file. */
    static KeyStore trust(Path authorities) throws IOException, GeneralSecurityException {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, NO_PASSWORD);
        int number = 0;
        for (var certificate : certificates(authorities)) {
            store.setCertificateEntry("ca" + number++, certificate);
        }
        return store;
    }

    /** Mutual TLS as {@code identity} (null: without a certificate of our own). */
    static SSLContext context(Identity identity, Path authorities) throws IOException, GeneralSecurityException {
        var keyManagers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keyManagers.init(keys(identity), NO_PASSWORD);
        var trustManagers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trustManagers.init(trust(authorities));
        var context = SSLContext.getInstance("TLS");
        context.init(keyManagers.getKeyManagers(), trustManagers.getTrustManagers(), null);
        return context;
    }
}
