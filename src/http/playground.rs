//! `GraphiQL` at `/`: the page and its hashed files, as `npm run build` left them in `web/dist`.
//! A release build carries them inside the binary; a debug build reads them from disk, so that a
//! page built a moment ago shows without cargo.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The built page. The folder may be missing: the server is worth building without npm.
#[derive(RustEmbed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Dist;

/// Shown instead of `GraphiQL` by a binary that was built without it. Self-contained, as it has no
/// files to lean on.
const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Parlour</title>
<style>
  :root { color-scheme: light dark }
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1.5rem }
  code { font: 14px ui-monospace, monospace }
</style>
<h1>Parlour</h1>
<p>The graph is ready at <code>/graphql</code>, but GraphiQL was not built into this binary.</p>
<p>Run <code>make web</code>, or <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>.
A debug build then shows it on reload; a release build has to be built again.</p>
</html>
"#;

/// Nothing from another origin, no inline script, no eval, no frame around the page. Only styles
/// may be inline: the editor positions its lines with them.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; \
     connect-src 'self'; worker-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Asked for again each time, and answered with 304 while it has not changed.
const REVALIDATE: &str = "no-cache";

/// Never asked for again: a changed file has another name.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// `/` and `/assets/…`; needs no state, so it merges into any router.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(index))
        .route("/assets/{*path}", get(asset))
}

async fn index(request: HeaderMap) -> Response {
    let response = match Dist::get("index.html") {
        Some(file) => serve(file, REVALIDATE, &request),
        None => ([(header::CACHE_CONTROL, REVALIDATE)], Html(NOT_BUILT)).into_response(),
    };
    protect(response)
}

async fn asset(Path(path): Path<String>, request: HeaderMap) -> Response {
    let response = match Dist::get(&format!("assets/{path}")) {
        Some(file) => serve(file, FOREVER, &request),
        None => (
            StatusCode::NOT_FOUND,
            [(header::CACHE_CONTROL, REVALIDATE)],
            "Not found\n",
        )
            .into_response(),
    };
    protect(response)
}

/// The file, or 304 if the browser holds this very version.
fn serve(file: EmbeddedFile, cache_control: &'static str, request: &HeaderMap) -> Response {
    let tag = entity_tag(&file.metadata.sha256_hash());
    let unchanged = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|held| names(held, &tag));
    let validators = [
        (header::CACHE_CONTROL, cache_control.to_owned()),
        (header::ETAG, tag),
    ];
    if unchanged {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    let content_type = with_charset(file.metadata.mimetype());
    (
        validators,
        [(header::CONTENT_TYPE, content_type)],
        file.data,
    )
        .into_response()
}

/// The headers that every answer carries; a worker takes its policy from its own script's answer.
fn protect(response: Response) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, response).into_response()
}

/// Half of the file's SHA-256 in hex, quoted: 128 bits tell any two builds apart.
fn entity_tag(sha256: &[u8; 32]) -> String {
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &sha256[..16] {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether an `If-None-Match` value names this tag; weak tags count, as RFC 9110 has it for this header.
fn names(if_none_match: &str, tag: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}

/// Text is always UTF-8 here, and `nosniff` keeps browsers from finding that out themselves.
fn with_charset(content_type: &str) -> String {
    if content_type.starts_with("text/") {
        format!("{content_type}; charset=utf-8")
    } else {
        content_type.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_quoted_hex() {
        let mut hash = [0; 32];
        hash[..2].copy_from_slice(&[0x0a, 0xff]);
        assert_eq!(entity_tag(&hash), "\"0aff0000000000000000000000000000\"");
    }

    #[test]
    fn a_held_version_is_recognised_in_any_form() {
        for held in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b\",W/\"a\"", "*"] {
            assert!(names(held, "\"a\""), "{held}");
        }
        for held in ["", "a", "\"b\"", "\"ab\"", "W/\"b\""] {
            assert!(!names(held, "\"a\""), "{held}");
        }
    }

    #[test]
    fn only_text_gets_a_charset() {
        assert_eq!(
            with_charset("text/javascript"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(with_charset("font/woff2"), "font/woff2");
    }
}
