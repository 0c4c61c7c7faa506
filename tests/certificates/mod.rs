//! Certificates made now, good and bad, for servers on loopback.

#![allow(dead_code, reason = "each test binary uses some of it")]

use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// Its last day was in 2020.
    Expired,
    /// It is for example.com.
    WrongName,
    /// Somebody else signed it.
    UnknownAuthority,
    /// Nobody else signed it.
    SelfSigned,
}

/// Signs certificates.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    pub fn new() -> Self {
        Self::called("an authority of ours")
    }

    fn called(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: rcgen::Issuer::new(params, key), certificate }
    }

    /// Its own certificate.
    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// Whoever trusts it and nobody else.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        roots
    }

    /// A server called `name`, whose certificate may have a flaw.
    pub fn server(&self, name: &str, flaw: Option<Flaw>) -> Arc<ServerConfig> {
        let key = rcgen::KeyPair::generate().unwrap();
        let name = if flaw == Some(Flaw::WrongName) { "example.com" } else { name };
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        if flaw == Some(Flaw::Expired) {
            params.not_before = rcgen::date_time_ymd(2019, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        params.distinguished_name.push(rcgen::DnType::CommonName, "a server of ours");
        let certificate = match flaw {
            Some(Flaw::SelfSigned) => params.self_signed(&key),
            Some(Flaw::UnknownAuthority) => params.signed_by(&key, &Self::called("another").issuer),
            Some(Flaw::Expired | Flaw::WrongName) | None => params.signed_by(&key, &self.issuer),
        };
        server_config(certificate.unwrap(), &key)
    }
}

/// A good server called `name`, and the roots that trust it.
pub fn certificate(name: &str) -> (Arc<ServerConfig>, RootCertStore) {
    let authority = Authority::new();
    (authority.server(name, None), authority.roots())
}

fn server_config(certificate: rcgen::Certificate, key: &rcgen::KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap();
    Arc::new(config)
}
