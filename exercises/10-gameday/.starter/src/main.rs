//! An instance of the shop: what it needs to know stands in the environment.

#[tokio::main]
async fn main() -> Result<(), gameday::Error> {
    gameday::run().await
}
