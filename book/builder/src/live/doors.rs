//! Who may ask: the pages of this server, in this reader's browser.
//!
//! A page of another site can send requests to loopback, and a name that resolves to 127.0.0.1 makes such a page look
//! like one of ours (DNS rebinding). So `Host` must be this server's own address; an `Origin`, where there is one, this
//! server's own; and what does work carries a token that only a page of this server can have read.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use rand::TryRng as _;
use rand::rngs::SysRng;

/// The header of the token.
pub const TOKEN: HeaderName = HeaderName::from_static("x-live-token");

pub struct Doors {
    hosts: [String; 2],
    token: String,
}

impl Doors {
    /// The doors of a server at `address`, with a new token.
    pub fn new(address: SocketAddr) -> Self {
        let port = address.port();
        let draw = || SysRng.try_next_u64().expect("the system has random numbers");
        let token = format!("{:016x}{:016x}", draw(), draw());
        Self { hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")], token }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    /// Why a request is refused, if it is.
    fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<&'static str> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_ours = |host: &str| self.hosts.iter().any(|ours| ours == host);
        if !text(HOST).is_some_and(is_ours) {
            return Some("this server answers to its own address only");
        }
        let foreign = |origin: &str| !origin.strip_prefix("http://").is_some_and(is_ours);
        if headers.contains_key(ORIGIN) && text(ORIGIN).is_none_or(foreign) {
            return Some("this server answers to its own pages only");
        }
        if method != Method::GET && method != Method::HEAD && text(TOKEN) != Some(self.token()) {
            return Some("the page is from an earlier start of this server: load it again");
        }
        None
    }
}

pub async fn check(doors: &Doors, request: Request, next: Next) -> Response {
    match doors.refusal(request.method(), request.headers()) {
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, headers: &[(&str, &str)]) -> Option<&'static str> {
        let doors = Doors { token: "t0".into(), ..Doors::new("127.0.0.1:3000".parse().unwrap()) };
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        doors.refusal(method, &headers)
    }

    #[test]
    fn its_own_pages_may_ask() {
        for host in ["127.0.0.1:3000", "localhost:3000"] {
            assert_eq!(asked(&Method::GET, &[("host", host)]), None);
        }
        let own = [
            ("host", "localhost:3000"),
            ("origin", "http://localhost:3000"),
            ("x-live-token", "t0"),
        ];
        assert_eq!(asked(&Method::POST, &own), None);
    }

    #[test]
    fn a_name_that_resolves_to_loopback_may_not() {
        for host in
            ["evil.example:3000", "127.0.0.1", "127.0.0.1:3001", "localhost.evil.example:3000"]
        {
            assert!(asked(&Method::GET, &[("host", host)]).is_some(), "{host}");
        }
        assert!(asked(&Method::GET, &[]).is_some(), "no Host at all");
    }

    #[test]
    fn a_page_of_another_site_may_not_even_with_a_token() {
        for origin in
            ["http://evil.example", "https://127.0.0.1:3000", "null", "http://127.0.0.1:3001"]
        {
            let headers = [("host", "127.0.0.1:3000"), ("origin", origin), ("x-live-token", "t0")];
            assert!(asked(&Method::POST, &headers).is_some(), "{origin}");
            assert!(asked(&Method::GET, &headers).is_some(), "{origin}");
        }
    }

    #[test]
    fn what_does_work_needs_the_token_of_this_start() {
        let host = ("host", "127.0.0.1:3000");
        assert!(asked(&Method::POST, &[host]).is_some());
        assert!(asked(&Method::POST, &[host, ("x-live-token", "t1")]).is_some());
        let other = Doors::new("127.0.0.1:3000".parse().unwrap());
        assert_ne!(other.token(), Doors::new("127.0.0.1:3000".parse().unwrap()).token());
        assert_eq!(other.token().len(), 32);
    }
}
