//! Serves the shop until Ctrl-C; `shop-site v2` shows the redesign.
#![allow(clippy::print_stdout)]

use shop_site::{PATHS, SiteServer, Version};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let site = SiteServer::start().await?;
    if std::env::args().nth(1).as_deref() == Some("v2") {
        site.switch_to(Version::V2);
    }
    for path in PATHS {
        println!("{}{path}", site.base_url());
    }
    tokio::signal::ctrl_c().await?;
    println!("{} requests served", site.requests_served());
    site.stop().await;
    Ok(())
}
