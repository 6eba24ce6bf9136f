//! TLS to PostgreSQL, with what libpq means by each `pg_sslmode`.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{ring, verify_tls12_signature, verify_tls13_signature, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::cache::{Error, ErrorKind};
use crate::settings::{SourceSettings, SslMode};

/// TLS to one source.
pub(crate) struct Tls {
    /// Makes the connections.
    pub(crate) connector: MakeRustlsConnect,
    agreed: Agreed,
}

/// Whether the last whole handshake agreed on TLS 1.2, not 1.3. A session that is resumed has the version that it began with.
#[derive(Debug, Default, Clone)]
struct Agreed(Arc<AtomicBool>);

impl Tls {
    /// TLS as the settings ask for it; `None` where it is off or the way is a Unix socket.
    ///
    /// # Errors
    /// A file that cannot be read or holds no PEM of the right kind; the text names the setting.
    pub(crate) fn new(settings: &SourceSettings) -> Result<Option<Self>, Error> {
        if settings.pg_sslmode == SslMode::Disable || settings.is_unix_socket() {
            return Ok(None);
        }
        let agreed = Agreed::default();
        let connector = MakeRustlsConnect::new(client_config(settings, agreed.clone())?);
        Ok(Some(Self { connector, agreed }))
    }

    /// The version that the last handshake agreed on, as PostgreSQL writes it.
    pub(crate) fn version(&self) -> &'static str {
        match self.agreed.0.load(Ordering::Relaxed) {
            true => "TLSv1.2",
            false => "TLSv1.3",
        }
    }
}

fn client_config(settings: &SourceSettings, agreed: Agreed) -> Result<ClientConfig, Error> {
    // Named here and never taken from the process: another module may have installed its own as the default.
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(settings, provider.signature_verification_algorithms, agreed)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused("pg_sslmode", &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (&settings.pg_sslcert, &settings.pg_sslkey) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(read_certificates("pg_sslcert", cert)?, read_key(key)?)
            .map_err(|error| refused("pg_sslcert", &error)),
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// Judges the server's certificate as far as the mode asks for.
#[derive(Debug)]
struct Verifier {
    /// Who must have signed it; `None` accepts anyone.
    roots: Option<RootCertStore>,
    /// Whether it must be for the host that we connect to.
    checks_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
    agreed: Agreed,
}

impl Verifier {
    fn new(settings: &SourceSettings, algorithms: WebPkiSupportedAlgorithms, agreed: Agreed) -> Result<Self, Error> {
        let file = settings.pg_sslrootcert.as_deref();
        let roots = match settings.pg_sslmode {
            SslMode::Disable | SslMode::Prefer => None,
            SslMode::Require => file.map(roots_from).transpose()?,
            SslMode::VerifyCa | SslMode::VerifyFull => Some(file.map_or_else(system_roots, roots_from)?),
        };
        Ok(Self { roots, checks_name: settings.pg_sslmode == SslMode::VerifyFull, algorithms, agreed })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let cert = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&cert, roots, intermediates, now, algorithms)?;
            if self.checks_name {
                verify_server_name(&cert, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    // Whatever the mode: whoever shows a certificate must hold its key.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.agreed.0.store(true, Ordering::Relaxed);
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.agreed.0.store(false, Ordering::Relaxed);
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn roots_from(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates("pg_sslrootcert", path)? {
        roots.add(certificate).map_err(|error| refused_file("pg_sslrootcert", path, &error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    // One certificate of the system that cannot be parsed must not close the others.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(refused("pg_sslrootcert", &"not set, and the system has no trusted authorities"));
    }
    Ok(roots)
}

fn read_certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = fs::read(path).map_err(|error| refused_file(setting, path, &error))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = found.map_err(|error| refused_file(setting, path, &error))?;
    if certificates.is_empty() {
        return Err(refused_file(setting, path, &"no certificate in PEM form in it"));
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let pem = fs::read(path).map_err(|error| refused_file("pg_sslkey", path, &error))?;
    // The parser's own error might quote the file.
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| refused_file("pg_sslkey", path, &"no unencrypted private key in PEM form in it"))
}

fn refused_file(setting: &str, path: &Path, why: &dyn std::fmt::Display) -> Error {
    refused(setting, &format!("{}: {why}", path.display()))
}

fn refused(setting: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Down, format!("{setting}: {why}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::thread;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::server::WebPkiClientVerifier;
    use rustls::{ClientConnection, ServerConfig, ServerConnection};
    use tempfile::TempDir;

    /// An authority, a certificate of it for the host `db1`, and one that signed itself for the same host.
    struct World {
        dir: TempDir,
        authority: CertifiedIssuer<'static, KeyPair>,
    }

    impl World {
        fn new() -> Self {
            let mut params = CertificateParams::new([]).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            let world = Self { dir: tempfile::tempdir().unwrap(), authority };
            world.write("ca.pem", &world.authority.pem());
            world
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        fn issue(&self, host: &str) -> (CertificateDer<'static>, KeyPair) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([host.to_owned()]).unwrap();
            let cert = params.signed_by(&key, &self.authority).unwrap();
            (cert.der().clone(), key)
        }

        fn settings(&self, mode: &str, extra: &[(&str, &str)]) -> Arc<SourceSettings> {
            let mut args = vec!["pg_sslmode".to_owned(), mode.to_owned()];
            for (name, file) in extra {
                args.push((*name).into());
                args.push(self.path(file).display().to_string());
            }
            Arc::clone(&crate::settings::load(&args, []).unwrap().settings.sources[0])
        }
    }

    fn self_signed() -> (CertificateDer<'static>, KeyPair) {
        let made = rcgen::generate_simple_self_signed(["db1".to_owned()]).unwrap();
        (made.cert.der().clone(), made.signing_key)
    }

    fn server_config((cert, key): (CertificateDer<'static>, KeyPair), clients: Option<&World>) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            Some(world) => {
                let roots = Arc::new(roots_from(&world.path("ca.pem")).unwrap());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        builder.with_single_cert(vec![cert], key).unwrap()
    }

    /// A whole handshake; returns the client's error, or the server's when the client saw none.
    fn handshake(settings: &SourceSettings, host: &'static str, server: ServerConfig) -> Result<(), String> {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let serving = thread::spawn(move || {
            let mut connection = ServerConnection::new(Arc::new(server)).unwrap();
            connection.complete_io(&mut far).map(drop).map_err(|error| error.to_string())
        });
        let config = Arc::new(client_config(settings, Agreed::default()).map_err(|error| error.to_string())?);
        let mut connection = ClientConnection::new(config, ServerName::try_from(host).unwrap()).unwrap();
        connection.complete_io(&mut near).map_err(|error| error.to_string())?;
        // Our end stays open until the server has said its last word.
        serving.join().unwrap()
    }

    #[test]
    fn only_a_trusted_chain_passes_verify_ca_whatever_the_host() {
        let world = World::new();
        let settings = world.settings("verify-ca", &[("pg_sslrootcert", "ca.pem")]);
        assert_eq!(handshake(&settings, "elsewhere", server_config(world.issue("db1"), None)), Ok(()));
        assert!(handshake(&settings, "db1", server_config(self_signed(), None)).is_err());
        assert!(handshake(&settings, "db1", server_config(World::new().issue("db1"), None)).is_err());
    }

    #[test]
    fn verify_full_asks_for_the_host_as_well() {
        let world = World::new();
        let settings = world.settings("verify-full", &[("pg_sslrootcert", "ca.pem")]);
        assert_eq!(handshake(&settings, "db1", server_config(world.issue("db1"), None)), Ok(()));
        assert_eq!(handshake(&settings, "127.0.0.1", server_config(world.issue("127.0.0.1"), None)), Ok(()));
        let error = handshake(&settings, "elsewhere", server_config(world.issue("db1"), None)).unwrap_err();
        assert!(error.contains("not valid for name"), "{error}");
        assert!(handshake(&settings, "db1", server_config(self_signed(), None)).is_err());
    }

    #[test]
    fn prefer_and_require_take_any_certificate() {
        let world = World::new();
        for mode in ["prefer", "require"] {
            let settings = world.settings(mode, &[]);
            assert_eq!(handshake(&settings, "x", server_config(self_signed(), None)), Ok(()), "{mode}");
        }
        let ignored = world.settings("prefer", &[("pg_sslrootcert", "ca.pem")]);
        assert_eq!(handshake(&ignored, "x", server_config(self_signed(), None)), Ok(()));
    }

    #[test]
    fn require_with_a_root_is_verify_ca() {
        let world = World::new();
        let settings = world.settings("require", &[("pg_sslrootcert", "ca.pem")]);
        assert_eq!(handshake(&settings, "elsewhere", server_config(world.issue("db1"), None)), Ok(()));
        assert!(handshake(&settings, "db1", server_config(self_signed(), None)).is_err());
    }

    #[test]
    fn a_root_file_may_hold_several_authorities() {
        let (world, other) = (World::new(), World::new());
        world.write("both.pem", &format!("{}{}", other.authority.pem(), world.authority.pem()));
        let settings = world.settings("verify-full", &[("pg_sslrootcert", "both.pem")]);
        for issuer in [&world, &other] {
            assert_eq!(handshake(&settings, "db1", server_config(issuer.issue("db1"), None)), Ok(()));
        }
    }

    #[test]
    fn a_client_certificate_is_shown_to_those_who_ask() {
        let world = World::new();
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new([]).unwrap().signed_by(&key, &world.authority).unwrap();
        world.write("client.pem", &cert.pem());
        world.write("client.key", &key.serialize_pem());
        let with = world.settings("require", &[("pg_sslcert", "client.pem"), ("pg_sslkey", "client.key")]);
        let asking = || server_config(world.issue("db1"), Some(&world));
        assert_eq!(handshake(&with, "db1", asking()), Ok(()));
        assert!(handshake(&world.settings("require", &[]), "db1", asking()).is_err());
    }

    #[test]
    fn a_file_that_is_no_use_is_named_with_its_setting() {
        let world = World::new();
        world.write("empty.pem", "nothing\n");
        for (extra, wanted) in [
            (vec![("pg_sslrootcert", "missing.pem")], "pg_sslrootcert: "),
            (vec![("pg_sslrootcert", "empty.pem")], "no certificate in PEM form"),
            (vec![("pg_sslcert", "ca.pem"), ("pg_sslkey", "empty.pem")], "pg_sslkey: "),
        ] {
            let error = client_config(&world.settings("require", &extra), Agreed::default()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_unix_socket_and_disable_need_no_tls() {
        let world = World::new();
        assert!(Tls::new(&world.settings("disable", &[("pg_sslrootcert", "missing.pem")])).unwrap().is_none());
        assert!(Tls::new(&world.settings("verify-full", &[("pg_host", "socket")])).unwrap().is_none());
    }
}
