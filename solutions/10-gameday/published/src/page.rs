//! The product page: what is there, or was there lately, and what is missing is named.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use moka::sync::Cache;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::dependency::{Ask, Dependency, Fault};
use crate::{Shop, refused};

#[derive(Clone, Deserialize)]
pub struct Article {
    id: u32,
    name: String,
    pub price: u32,
}

#[derive(Clone, Deserialize)]
struct Stock {
    in_stock: u32,
}

#[derive(Clone, Deserialize)]
struct Recommendations {
    articles: Vec<u32>,
}

#[derive(Deserialize)]
pub struct Visitor {
    #[serde(default)]
    user: String,
}

pub struct Shelf {
    catalogue: Part<Article>,
    stock: Part<Stock>,
    recommendations: Part<Recommendations>,
}

/// One kind of answer: where it comes from, and the answers of late.
struct Part<T> {
    dependency: Arc<Dependency>,
    lately: Cache<Url, T>,
}

/// An answer, and whether it is fresh.
type Found<T> = Option<(T, bool)>;

impl<T: Clone + Send + Sync + DeserializeOwned + 'static> Part<T> {
    fn new(dependency: Arc<Dependency>, seconds: u64) -> Self {
        let time = Duration::from_secs(seconds);
        let lately = Cache::builder().max_capacity(10_000).time_to_live(time).build();
        Self { dependency, lately }
    }

    /// A 404 is an answer: nothing older stands in for it.
    async fn get(&self, path: &[&str], headers: &HeaderMap) -> Result<Found<T>, StatusCode> {
        let url = self.dependency.url(path);
        let mut of_request = HeaderMap::new();
        if let Some(id) = headers.get("x-request-id") {
            of_request.insert("x-request-id", id.clone());
        }
        let ask =
            Ask { method: Method::GET, url: url.clone(), headers: of_request, body: Bytes::new() };
        let fresh = match self.dependency.call(ask).await {
            Ok(body) => serde_json::from_slice::<T>(&body).ok(),
            Err(failed) => match failed.fault {
                Fault::Status(404) => return Err(StatusCode::NOT_FOUND),
                _ => None,
            },
        };
        Ok(match fresh {
            Some(value) => {
                self.lately.insert(url, value.clone());
                Some((value, true))
            }
            None => self.lately.get(&url).map(|value| (value, false)),
        })
    }
}

impl Shelf {
    pub fn new(
        catalogue: Arc<Dependency>,
        stock: Arc<Dependency>,
        recommendations: Arc<Dependency>,
    ) -> Self {
        Self {
            catalogue: Part::new(catalogue, 3600),
            stock: Part::new(stock, 30),
            recommendations: Part::new(recommendations, 600),
        }
    }

    pub async fn article(
        &self,
        id: u32,
        headers: &HeaderMap,
    ) -> Result<Found<Article>, StatusCode> {
        let found = self.catalogue.get(&["catalogue", &id.to_string()], headers).await?;
        Ok(found.filter(|(article, _)| article.id == id))
    }
}

pub async fn show(
    State(shop): State<Shop>,
    Path(id): Path<u32>,
    Query(Visitor { user }): Query<Visitor>,
    headers: HeaderMap,
) -> Response {
    let shelf = &shop.shelf;
    let user = if (1..=64).contains(&user.len()) { &user } else { "guest" };
    let sku = format!("sku-{id}");
    let (stock_path, user_path) = (["inventory", &sku], ["recommendations", user]);
    let (article, stock, recommendations) = tokio::join!(
        shelf.article(id, &headers),
        shelf.stock.get(&stock_path, &headers),
        shelf.recommendations.get(&user_path, &headers),
    );
    let (article, is_fresh) = match article {
        Ok(Some(article)) => article,
        Ok(None) => return refused("the catalogue can't be reached"),
        Err(status) => return status.into_response(),
    };
    let (stock, recommendations) = (stock.ok().flatten(), recommendations.ok().flatten());
    let degraded: Vec<_> = [
        ("catalogue", is_fresh),
        ("stock", stock.as_ref().is_some_and(|(_, is_fresh)| *is_fresh)),
        ("recommendations", recommendations.as_ref().is_some_and(|(_, is_fresh)| *is_fresh)),
    ]
    .into_iter()
    .filter_map(|(name, is_fresh)| (!is_fresh).then_some(name))
    .collect();
    let page = json!({
        "id": id,
        "name": article.name,
        "price_cents": article.price,
        "in_stock": stock.map(|(stock, _)| stock.in_stock),
        "recommendations": recommendations.map_or_else(Vec::new, |(found, _)| found.articles),
        "degraded": degraded,
    });
    let mut response = Json(page).into_response();
    if !degraded.is_empty() {
        let names = HeaderValue::from_str(&degraded.join(", ")).expect("plain names");
        response.headers_mut().insert("degraded", names);
    }
    response
}
