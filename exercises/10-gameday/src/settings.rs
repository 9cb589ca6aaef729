// What the environment says: fixtures/gameday/CONTRACT.md has the list.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Error;

/// Where everything is.
pub struct Settings {
    pub listen: SocketAddr,
    /// `a` or `b`.
    pub instance: String,
    /// The folder of this instance's journal.
    pub journal: PathBuf,
    pub catalogue: String,
    pub stock: String,
    pub recommendations: String,
    pub payments: String,
    /// Who knows the names of the four.
    pub dns_server: SocketAddr,
    /// The authority that payments' certificate is signed by, if they are `https`.
    pub ca_file: Option<PathBuf>,
}

impl Settings {
    /// # Errors
    /// When a variable is missing or can't be read: with its name.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            listen: address("LISTEN")?,
            instance: variable("INSTANCE")?,
            journal: variable("JOURNAL")?.into(),
            catalogue: variable("CATALOGUE_URL")?,
            stock: variable("STOCK_URL")?,
            recommendations: variable("RECOMMENDATIONS_URL")?,
            payments: variable("PAYMENTS_URL")?,
            dns_server: address("DNS_SERVER")?,
            ca_file: env::var_os("CA_FILE").map(PathBuf::from),
        })
    }
}

fn variable(name: &str) -> Result<String, Error> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

fn address(name: &str) -> Result<SocketAddr, Error> {
    variable(name)?.parse().map_err(|error| format!("{name}: {error}").into())
}
