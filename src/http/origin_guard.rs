//! Refuses requests to a server without authentication whose `Host` is not a name of this machine (DNS rebinding) or whose `Origin` is a
//! foreign page: a browser on this machine must not lend its access to pages from elsewhere.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use tower_http::validate_request::ValidateRequest;

use super::respond::Refusal;
use super::{Server, refuse_outside};

/// Lets in what comes from this machine, where the server is open; everything where one has to say who one is.
#[derive(Clone)]
pub(super) struct Only(pub(super) Server);

impl<B> ValidateRequest<B> for Only {
    type ResponseBody = Body;

    fn validate(&mut self, request: &mut Request<B>) -> Result<(), Response> {
        let shared = &self.0.0;
        if !shared.authentication.is_open() {
            return Ok(());
        }
        check(request, &shared.cors).map_err(|message| {
            let refusal = Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message);
            refuse_outside(shared, request.headers(), refusal)
        })
    }
}

/// What is wrong with where a request comes from, if anything is.
fn check<B>(request: &Request<B>, let_in: &[HeaderValue]) -> Result<(), &'static str> {
    // In HTTP/2 the name stands in the address. Nothing that runs in a browser can leave both out.
    let called = request.uri().authority().map(|name| Ok(name.clone()));
    let called = called
        .into_iter()
        .chain(request.headers().get_all(HOST).iter().map(authority));
    for name in called {
        if !name.is_ok_and(|name| is_here(name.host())) {
            return Err(
                "a server without authentication answers to 127.0.0.1, [::1] and localhost alone: check the Host header",
            );
        }
    }
    let changes = request.method() == Method::POST;
    for origin in request.headers().get_all(ORIGIN).iter().filter(|_| changes) {
        let listed = let_in.iter().any(|one| one == "*" || one == origin);
        if !listed && !origin_host(origin).is_some_and(|host| is_here(&host)) {
            return Err(
                "a page of this origin may not ask a server without authentication (cors-origins)",
            );
        }
    }
    Ok(())
}

fn authority(value: &HeaderValue) -> Result<Authority, ()> {
    Authority::try_from(value.as_bytes()).map_err(drop)
}

/// The host of an origin; none for `null`, and for what has no scheme.
fn origin_host(origin: &HeaderValue) -> Option<String> {
    let origin = Uri::try_from(origin.as_bytes()).ok()?;
    origin.scheme()?;
    origin.host().map(str::to_owned)
}

/// Whether a name can be of nothing but this machine.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::check;
    use axum::body::Body;
    use axum::http::{HeaderValue, Request};

    fn asks(method: &str, host: &str, origin: Option<&str>, let_in: &[HeaderValue]) -> bool {
        let mut request = Request::builder().method(method).header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        check(&request.body(Body::empty()).unwrap(), let_in).is_ok()
    }

    #[test]
    fn only_names_of_this_machine_are_answered_to() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:4000",
            "127.8.9.1:1",
            "localhost",
            "LocalHost:4000",
            "[::1]",
            "[::1]:4000",
        ] {
            assert!(asks("GET", host, None, &[]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:4000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0.0.0.0:4000",
            "192.168.1.2",
            "[::]",
            "localhost@evil.example",
            "localhost, evil.example",
            "localhost/",
        ] {
            assert!(!asks("GET", host, None, &[]), "{host}");
        }
    }

    #[test]
    fn changes_come_from_pages_of_this_machine_or_of_those_let_in() {
        let friend = [HeaderValue::from_static("https://app.example")];
        let all = [HeaderValue::from_static("*")];
        for (origin, let_in, fine) in [
            ("http://localhost:5173", &[][..], true),
            ("http://[::1]:4000", &[], true),
            ("https://evil.example", &[], false),
            ("null", &[], false),
            ("localhost", &[], false),
            ("file://", &[], false),
            ("https://app.example", &friend, true),
            ("https://app.example.evil", &friend, false),
            ("https://evil.example", &all, true),
        ] {
            assert_eq!(
                asks("POST", "localhost", Some(origin), let_in),
                fine,
                "{origin}"
            );
            assert!(asks("GET", "localhost", Some(origin), let_in), "{origin}");
        }
    }
}
