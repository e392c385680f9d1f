//! TLS of connections to PostgreSQL: whom they believe to be the server, by the modes of libpq.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How TLS is spoken, where it is. Certificates are read anew for each connection, so that renewed ones are used.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) believes: Believes,
    /// Who else may sign certificates of servers: a file, or its text.
    pub(super) roots: Option<String>,
    /// The certificate that is shown to the server, and its key.
    pub(super) own: Option<(String, String)>,
}

/// Who is believed to be the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Believes {
    /// Whoever answers: `prefer`, `require`.
    Anybody,
    /// Who has a certificate of somebody who is trusted, for whatever name: `verify-ca`.
    Certified,
    /// Who has a certificate for the name of the host: `verify-full`.
    Named,
}

impl Tls {
    /// What makes a connection speak TLS.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let told = |error: Error| error.to_string();
        let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        for certificate in self.roots.iter().map(|source| certificates(source)) {
            for certificate in certificate? {
                roots.add(certificate).map_err(told)?;
            }
        }
        let provider = Arc::new(default_provider());
        let verifier = Verifier {
            inner: WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| error.to_string())?,
            believes: self.believes,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(told)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &self.own {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let pem = read(key)?;
                let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| error.to_string())?;
                config
                    .with_client_auth_cert(certificates(certificate)?, key)
                    .map_err(told)?
            }
        };
        Ok(MakeRustlsConnect::new(config))
    }
}

fn certificates(source: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(source)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    certificates.map_err(|error| error.to_string())
}

fn read(source: &str) -> Result<Vec<u8>, String> {
    if source.trim_start().starts_with("-----BEGIN") {
        return Ok(source.as_bytes().to_vec());
    }
    std::fs::read(source).map_err(|error| format!("`{source}`: {error}"))
}

/// Looks at the certificate of a server.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    believes: Believes,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.believes == Believes::Anybody {
            return Ok(ServerCertVerified::assertion());
        }
        match self.inner.verify_server_cert(own, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.believes == Believes::Certified => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
