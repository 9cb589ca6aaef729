//! Names and their addresses, for as long as the name server answers and afterwards.
//!
//! A name that was found once is answered at once, from memory, and looked up again meanwhile if the last look
//! is [`REFRESH`] old. So a name server that is silent or says that there is no such name costs nobody
//! anything, and a dependency that moves is followed. The addresses before stay at the end of the list: they
//! are tried when the new ones refuse, because the name server was wrong, or early.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Instant, timeout};

/// How often a name in use is looked up again: the time to live that the shop's zone has.
pub const REFRESH: Duration = Duration::from_secs(1);
/// A name server that is slower has not answered.
const LOOKUP: Duration = Duration::from_millis(500);
/// So many addresses of a name are remembered.
const KEPT: usize = 4;

/// A resolver for the HTTP client. A handle: clones share what they know.
#[derive(Clone)]
pub struct Names {
    resolver: TokioResolver,
    known: Arc<Mutex<HashMap<String, Known>>>,
}

struct Known {
    addresses: Vec<IpAddr>,
    looked: Instant,
}

impl Names {
    /// Asks this server, over UDP, for IPv4 addresses.
    ///
    /// # Errors
    /// When the resolver can't be made of its configuration.
    pub fn new(server: SocketAddr) -> Result<Self, NetError> {
        let mut udp = ConnectionConfig::udp();
        udp.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![udp]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4Only;
        options.timeout = LOOKUP;
        options.attempts = 1;
        // What is remembered, and for how long, is decided here.
        options.cache_size = 0;
        Ok(Self { resolver: builder.build()?, known: Arc::default() })
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        if let Some((addresses, is_old)) = self.remembered(name) {
            if is_old {
                let (names, name) = (self.clone(), name.to_owned());
                tokio::spawn(async move { names.look_up(&name).await });
            }
            return Ok(addresses);
        }
        self.look_up(name).await
    }

    /// What is known of a name, and whether it is time to look again. Who is told so is the one to do it.
    fn remembered(&self, name: &str) -> Option<(Vec<IpAddr>, bool)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_mut(name)?;
        let is_old = known.looked.elapsed() >= REFRESH;
        if is_old {
            known.looked = Instant::now();
        }
        Some((known.addresses.clone(), is_old))
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let found = timeout(LOOKUP, self.resolver.lookup_ip(name)).await;
        let mut addresses: Vec<IpAddr> = found.map_err(|_| NetError::Timeout)??.iter().collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known.get(name) {
            let gone = before.addresses.iter().filter(|ip| !addresses.contains(ip)).copied();
            let gone: Vec<_> = gone.collect();
            addresses.extend(gone);
            addresses.truncate(KEPT);
        }
        let looked = Instant::now();
        known.insert(name.to_owned(), Known { addresses: addresses.clone(), looked });
        Ok(addresses)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let addresses = names.addresses(name.as_str()).await?;
            // The port is that of the URL.
            Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}
