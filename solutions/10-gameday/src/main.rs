//! An instance of the shop: what it needs to know stands in the environment.

#[tokio::main]
async fn main() -> Result<(), gameday_solution::Error> {
    gameday_solution::run().await
}
