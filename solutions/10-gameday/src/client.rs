//! The HTTP client: the shop's own names and authority, and a limit on how long a connection takes.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::Error;
use crate::names::Names;
use crate::settings::Settings;

/// Divided among the addresses of a name.
const CONNECT: Duration = Duration::from_millis(400);
/// A connection that was not used for so long is closed: the address behind its name may be another.
const IDLE: Duration = Duration::from_secs(10);

/// The client that all dependencies share. It has no timeout of its own: each call brings its deadline.
///
/// # Errors
/// When the file of the authority can't be read.
pub fn build(settings: &Settings) -> Result<Client, Error> {
    Ok(builder(settings)?.pool_idle_timeout(IDLE).build()?)
}

/// One that makes a connection for every request, and tells what certificate it saw.
///
/// # Errors
/// As [`build`].
pub fn unpooled(settings: &Settings) -> Result<Client, Error> {
    Ok(builder(settings)?.pool_max_idle_per_host(0).tls_info(true).build()?)
}

fn builder(settings: &Settings) -> Result<ClientBuilder, Error> {
    let mut trusted = RootCertStore::empty();
    if let Some(file) = &settings.ca_file {
        for certificate in CertificateDer::pem_file_iter(file)? {
            trusted.add(certificate?)?;
        }
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Names::new(settings.dns_server)?)
        .connect_timeout(CONNECT)
        // Nobody here redirects; who does is not who was asked.
        .redirect(Policy::none()))
}
