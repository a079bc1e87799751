//! Calls to addresses that users give: what they reach, and what not even a redirect leads to.

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::response::Redirect;
use axum::routing::get;
use engify_clients::http::{ClientOptions, Outside, outside};
use reqwest::Method;
use tokio::net::TcpListener;

/// A server on this machine that sends callers on to wherever they say.
async fn server() -> u16 {
    let hop = async |Path(left): Path<u32>| {
        Redirect::to(&if left == 0 { "/end".to_owned() } else { format!("/hop/{}", left - 1) })
    };
    let to = async |Path(target): Path<String>| Redirect::to(&target);
    let router = Router::new()
        .route("/end", get(|| async { "reached" }))
        .route("/hop/{left}", get(hop))
        .route("/to/{*target}", get(to));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

fn vouching_for(addresses: &[[u8; 4]]) -> Outside {
    let allowed: Vec<IpAddr> = addresses.iter().copied().map(IpAddr::from).collect();
    outside(ClientOptions::default(), &allowed).unwrap()
}

async fn call(client: &Outside, address: &str) -> Result<String, String> {
    let request = client.request(Method::GET, address).map_err(|refused| refused.to_string())?;
    let reply = request.timeout(Duration::from_secs(5)).send().await.map_err(|fault| format!("{fault:?}"))?;
    reply.text().await.map_err(|fault| fault.to_string())
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_when_it_is_called() {
    let port = server().await;
    let nobody = vouching_for(&[]);
    assert!(nobody.check(&format!("http://localhost:{port}/end")).is_ok(), "the name itself says nothing");
    let refused = call(&nobody, &format!("http://localhost:{port}/end")).await.unwrap_err();
    assert!(refused.contains("Inside"), "{refused}");
    let vouching = vouching_for(&[[127, 0, 0, 1]]);
    assert_eq!(call(&vouching, &format!("http://localhost:{port}/end")).await.as_deref(), Ok("reached"));
}

#[tokio::test]
async fn a_redirect_reaches_no_further_than_a_first_call() {
    let port = server().await;
    let client = vouching_for(&[[127, 0, 0, 1]]);
    let from = |target: &str| format!("http://127.0.0.1:{port}/to/{target}");
    assert_eq!(call(&client, &from(&format!("http://localhost:{port}/end"))).await.as_deref(), Ok("reached"));
    for target in [
        format!("http://127.0.0.2:{port}/end"),
        format!("http://2130706434:{port}/end"),
        format!("http://[::1]:{port}/end"),
        format!("http://[::ffff:127.0.0.2]:{port}/end"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        let refused = call(&client, &from(&target)).await;
        assert!(refused.is_err(), "{target}: {refused:?}");
    }
    let redirect = call(&client, &from("file:///etc/passwd")).await;
    assert_eq!(
        redirect.as_deref(),
        Ok(""),
        "what is no web address is not followed: the redirect itself is the reply"
    );
}

#[tokio::test]
async fn redirects_are_bounded() {
    let port = server().await;
    let client = vouching_for(&[[127, 0, 0, 1]]);
    assert!(call(&client, &format!("http://127.0.0.1:{port}/hop/1")).await.is_ok());
    assert!(call(&client, &format!("http://127.0.0.1:{port}/hop/9")).await.is_err());
}
