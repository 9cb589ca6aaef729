//! The product page: the article, and beside it what there is. What is missing or old is named.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use deadline_solution::Deadline;
use degradation_solution::{
    Cached, ConfigError, Fallback, FallbackConfig, Fault as Kind, Mode, Source, Sourced,
    Unavailable,
};
use moka::sync::Cache;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::dependency::{Ask, Dependency};
use crate::fault::Fault;
use crate::{Shop, refused};

/// Pages are promised in 500 ms. What is left is for sending them, and for what nobody here can see: how long a request lay in
/// the kernel while this process had no processor.
pub const PROMISE: Duration = Duration::from_millis(300);
/// So many answers of each kind are remembered.
const REMEMBERED: u64 = 10_000;
/// Longer names are nobody's.
const LONGEST_USER: usize = 64;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Deserialize)]
pub struct Article {
    id: u32,
    name: String,
    pub price: u32,
}

#[derive(Clone, Deserialize)]
struct Stock {
    sku: String,
    in_stock: u32,
}

#[derive(Clone, Default, Deserialize)]
struct Recommendations {
    articles: Vec<u32>,
}

#[derive(Deserialize)]
pub struct Visitor {
    #[serde(default)]
    user: String,
}

#[derive(Serialize)]
struct Page {
    id: u32,
    name: String,
    price_cents: u32,
    in_stock: Option<u32>,
    recommendations: Vec<u32>,
    degraded: Vec<&'static str>,
}

/// What pages are made of.
pub struct Shelf {
    catalogue: Part<Article>,
    stock: Part<Stock>,
    recommendations: Part<Recommendations>,
}

impl Shelf {
    pub fn new(
        catalogue: Arc<Dependency>,
        stock: Arc<Dependency>,
        recommendations: Arc<Dependency>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            // Names and prices change with the catalogue, once a day.
            catalogue: Part::new(catalogue, 3600 * SECOND, None)?,
            // How many are left is soon wrong. Better say that nobody knows.
            stock: Part::new(stock, 30 * SECOND, None)?,
            recommendations: Part::new(
                recommendations,
                600 * SECOND,
                Some(Recommendations::default()),
            )?,
        })
    }

    /// What the catalogue says of an article.
    pub async fn article(
        &self,
        id: u32,
        request: &HeaderMap,
        deadline: Deadline,
    ) -> Result<Sourced<Article>, Unavailable<Fault>> {
        let is_it = move |article: &Article| article.id == id;
        self.catalogue.get(["catalogue", &id.to_string()], request, deadline, is_it).await
    }
}

/// One kind of answer: where it comes from, and what stands in for it.
struct Part<T> {
    dependency: Arc<Dependency>,
    fallback: Fallback,
    remembered: Cache<Url, (T, Instant)>,
    fixed: Option<T>,
}

impl<T: Clone + Send + Sync + for<'a> Deserialize<'a> + 'static> Part<T> {
    fn new(
        dependency: Arc<Dependency>,
        max_age: Duration,
        fixed: Option<T>,
    ) -> Result<Self, ConfigError> {
        // Memory answers at once: the limit is for caches that don't.
        let config = FallbackConfig { limit: 1_000, max_age, ..FallbackConfig::default() };
        let remembered = Cache::builder().max_capacity(REMEMBERED).time_to_live(max_age).build();
        Ok(Self { dependency, fallback: Fallback::new(config)?, remembered, fixed })
    }

    // ANCHOR: part
    /// The answer of the dependency if it `is_it`, else the last one that was, else the fixed one.
    ///
    /// The mode is always full: a breaker of its own keeps the page from a dependency that fails, so one
    /// that works is not given up because another does not.
    async fn get<const SEGMENTS: usize>(
        &self,
        path: [&str; SEGMENTS],
        request: &HeaderMap,
        deadline: Deadline,
        is_it: impl Fn(&T) -> bool,
    ) -> Result<Sourced<T>, Unavailable<Fault>> {
        let url = self.dependency.url(&path);
        let fresh = async || {
            let ask = Ask {
                method: Method::GET,
                url: url.clone(),
                headers: of_request(request),
                body: Bytes::new(),
            };
            let read = |body: &[u8]| {
                let value: T = serde_json::from_slice(body).map_err(|error| error.to_string())?;
                if is_it(&value) {
                    Ok(value)
                } else {
                    Err("it is about another article".to_owned())
                }
            };
            match self.dependency.call(&ask, deadline, read).await {
                Ok(value) => {
                    self.remembered.insert(url.clone(), (value.clone(), Instant::now()));
                    Ok(value)
                }
                Err(failed) => Err(match failed.fault {
                    fault @ Fault::Status { status: 404, .. } => Kind::Permanent(fault),
                    fault => Kind::Transient(fault),
                }),
            }
        };
        let cached = async || {
            let (value, at) = self.remembered.get(&url)?;
            Some(Cached { value, age: at.elapsed() })
        };
        self.fallback.get(Mode::Full, fresh, cached, self.fixed.clone()).await
    }
    // ANCHOR_END: part
}

/// The request's id goes on with it.
fn of_request(request: &HeaderMap) -> HeaderMap {
    let name = "x-request-id";
    let id = request.get(name).cloned();
    let id = id.unwrap_or_else(|| HeaderValue::from(rand::random::<u64>()));
    HeaderMap::from_iter([(axum::http::HeaderName::from_static(name), id)])
}

/// GET /products/{id}
// ANCHOR: show
pub async fn show(
    State(shop): State<Shop>,
    Path(id): Path<u32>,
    Query(Visitor { user }): Query<Visitor>,
    deadline: Deadline,
    request: HeaderMap,
) -> Response {
    let user = if (1..=LONGEST_USER).contains(&user.len()) { &user } else { "guest" };
    let (sku, shelf) = (format!("sku-{id}"), &shop.shelf);
    // All three at the same time: the page takes as long as the slowest, not as all together.
    let (article, stock, recommendations) = tokio::join!(
        shelf.article(id, &request, deadline),
        shelf.stock.get(["inventory", &sku], &request, deadline, |stock| stock.sku == sku),
        shelf.recommendations.get(["recommendations", user], &request, deadline, |_| true),
    );
    let article = match article {
        Ok(article) => article,
        Err(Unavailable::Permanent(_)) => return StatusCode::NOT_FOUND.into_response(),
        Err(why) => return refused(&why.to_string()),
    };
    let mut degraded = Vec::new();
    let mut note = |name, source: Option<Source>| {
        if source != Some(Source::Fresh) {
            degraded.push(name);
        }
    };
    note("catalogue", Some(article.source));
    note("stock", stock.as_ref().ok().map(|it| it.source));
    note("recommendations", recommendations.as_ref().ok().map(|it| it.source));
    let page = Page {
        id,
        name: article.value.name,
        price_cents: article.value.price,
        in_stock: stock.ok().map(|it| it.value.in_stock),
        recommendations: recommendations.map(|it| it.value.articles).unwrap_or_default(),
        degraded,
    };
    let mut response = Json(&page).into_response();
    if !page.degraded.is_empty() {
        let names = HeaderValue::from_str(&page.degraded.join(", ")).expect("plain names");
        response.headers_mut().insert("degraded", names);
    }
    response
}
// ANCHOR_END: show
