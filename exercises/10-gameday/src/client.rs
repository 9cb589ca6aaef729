// The HTTP client. It asks the shop's own name server, and trusts the shop's own authority.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::Error;
use crate::settings::Settings;

/// # Errors
/// When the file of the authority can't be read.
pub fn build(settings: &Settings) -> Result<reqwest::Client, Error> {
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
    let names = Names { resolver: resolver(settings.dns_server)? };
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).dns_resolver(names).build()?)
}

struct Names {
    resolver: TokioResolver,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.resolver.clone();
        Box::pin(async move {
            let found = resolver.lookup_ip(name.as_str()).await?;
            let addresses: Vec<_> = found.iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn resolver(server: SocketAddr) -> Result<TokioResolver, Error> {
    let mut udp = ConnectionConfig::udp();
    udp.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![udp]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4Only;
    Ok(builder.build()?)
}
