// The product page: the article, how many there are, and what else the user may like.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use reqwest::RequestBuilder;
use serde::{Deserialize, Serialize};

use crate::{Failed, Shop};

#[derive(Deserialize)]
pub struct Visitor {
    #[serde(default)]
    user: String,
}

#[derive(Serialize)]
pub struct Page {
    id: u32,
    name: String,
    price_cents: u32,
    in_stock: Option<u32>,
    recommendations: Vec<u32>,
    degraded: Vec<String>,
}

#[derive(Deserialize)]
pub struct Article {
    pub id: u32,
    pub name: String,
    pub price: u32,
}

#[derive(Deserialize)]
struct Stock {
    in_stock: u32,
}

#[derive(Deserialize)]
struct Recommendations {
    articles: Vec<u32>,
}

pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<u32>,
    Query(Visitor { user }): Query<Visitor>,
    headers: HeaderMap,
) -> Result<Json<Page>, Failed> {
    let article = article(&shop, id, &headers).await?;
    let url = format!("{}/inventory/sku-{id}", shop.settings.stock);
    let stock: Stock = fetch(shop.client.get(url), &headers).await?;
    let url = format!("{}/recommendations/{user}", shop.settings.recommendations);
    let recommendations: Recommendations = fetch(shop.client.get(url), &headers).await?;
    Ok(Json(Page {
        id,
        name: article.name,
        price_cents: article.price,
        in_stock: Some(stock.in_stock),
        recommendations: recommendations.articles,
        degraded: Vec::new(),
    }))
}

/// What the catalogue says of an article.
pub async fn article(shop: &Shop, id: u32, headers: &HeaderMap) -> Result<Article, Failed> {
    let url = format!("{}/catalogue/{id}", shop.settings.catalogue);
    fetch(shop.client.get(url), headers).await
}

async fn fetch<T: serde::de::DeserializeOwned>(
    request: RequestBuilder,
    headers: &HeaderMap,
) -> Result<T, Failed> {
    let request = about(request, headers, 1);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

/// The request's id travels with it.
pub fn about(request: RequestBuilder, headers: &HeaderMap, attempt: u32) -> RequestBuilder {
    let request = request.header("x-attempt", attempt);
    match headers.get("x-request-id") {
        Some(id) => request.header("x-request-id", id),
        None => request,
    }
}
