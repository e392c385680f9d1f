//! Documents by id: a list of trusted ones outside of which nothing runs, or those that clients have sent before by their hash.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::negotiate::GraphqlRequest;
use super::respond::Refusal;
use crate::error::{Error, Result};

/// How much text of clients is kept, in bytes.
const KEPT: u64 = 4 << 20;
/// What a kept text weighs besides itself, in bytes.
const OVERHEAD: u64 = 128;

/// SHA-256 of a document's text.
pub(super) type Hash = [u8; 32];

fn hash(text: &str) -> Hash {
    Sha256::digest(text).into()
}

/// Where the text of a document comes from.
#[derive(Debug)]
pub(super) enum Persisted {
    /// Texts that clients have sent with their hash.
    Automatic(Cache<Hash, Arc<str>, Bytes>),
    /// The texts of a manifest, by their ids. No other document runs.
    Trusted(HashMap<String, String>),
}

#[derive(Clone, Debug)]
pub(super) struct Bytes;

impl Weighter<Hash, Arc<str>> for Bytes {
    fn weight(&self, _: &Hash, text: &Arc<str>) -> u64 {
        text.len() as u64 + OVERHEAD
    }
}

/// A manifest: ids with their texts, plain or in the form that Apollo's tools write.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { operations: Vec<ManifestOperation> },
    Plain(HashMap<String, String>),
}

#[derive(Deserialize)]
struct ManifestOperation {
    id: String,
    body: String,
}

/// The text of a document, and the hash under which it is to be kept once it has been checked.
pub(super) type Text = (String, Option<Hash>);

impl Persisted {
    /// Without a manifest, clients may send any document.
    pub(super) fn new(manifest: Option<&Path>) -> Result<Self> {
        let Some(path) = manifest else {
            let texts = usize::try_from(KEPT / (4 * OVERHEAD)).unwrap_or(usize::MAX);
            return Ok(Self::Automatic(Cache::with_weighter(texts, KEPT, Bytes)));
        };
        let wrong = |reason: String| {
            Error::bad_input("trusted-documents", format!("{}: {reason}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let manifest = serde_json::from_str(&text).map_err(|_| {
            wrong(
                "is neither an object of ids and texts nor a manifest of Apollo's form".to_owned(),
            )
        })?;
        Ok(Self::Trusted(match manifest {
            Manifest::Plain(texts) => texts,
            Manifest::Apollo { operations } => operations
                .into_iter()
                .map(|ManifestOperation { id, body }| (id, body))
                .collect(),
        }))
    }

    /// The text of what is asked.
    pub(super) fn text(&self, question: &mut GraphqlRequest) -> Result<Text, Refusal> {
        match self {
            Self::Trusted(texts) => trusted(texts, question).map(|text| (text, None)),
            Self::Automatic(kept) => automatic(kept, question),
        }
    }

    /// Keeps a text that has turned out to be good.
    pub(super) fn keep(&self, hash: Hash, text: &str) {
        if let Self::Automatic(kept) = self {
            kept.insert(hash, text.into());
        }
    }
}

fn trusted(texts: &HashMap<String, String>, question: &GraphqlRequest) -> Result<String, Refusal> {
    let hash = question.extensions.persisted_query.as_ref();
    let id = question
        .document_id
        .as_ref()
        .or(hash.map(|hash| &hash.sha256_hash));
    if let Some(id) = id {
        return texts.get(id).cloned().ok_or_else(not_found);
    }
    let asked = question.query.as_ref().ok_or_else(missing)?;
    if texts.values().any(|text| text == asked) {
        return Ok(asked.clone());
    }
    let message = "only listed documents run here: ask by `documentId` (trusted-documents)";
    Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message))
}

fn automatic(
    kept: &Cache<Hash, Arc<str>, Bytes>,
    question: &mut GraphqlRequest,
) -> Result<Text, Refusal> {
    if question.document_id.is_some() {
        let message =
            "`documentId` names a listed document, and there is no list here (trusted-documents)";
        return Err(Refusal::bad_request(message));
    }
    let text = question.query.take();
    let Some(persisted) = &question.extensions.persisted_query else {
        return Ok((text.ok_or_else(missing)?, None));
    };
    if persisted.version != 1 {
        return Err(Refusal::bad_request(
            "`extensions.persistedQuery.version` must be 1",
        ));
    }
    let given = unhex(&persisted.sha256_hash).ok_or_else(|| {
        Refusal::bad_request(
            "`extensions.persistedQuery.sha256Hash` must be a SHA-256 in hexadecimal",
        )
    })?;
    let Some(text) = text else {
        let text = kept.get(&given).ok_or_else(not_found)?;
        return Ok((text.to_string(), None));
    };
    if hash(&text) != given {
        return Err(Refusal::bad_request(
            "`extensions.persistedQuery.sha256Hash` is not the hash of `query`",
        ));
    }
    Ok((text, Some(given)))
}

fn missing() -> Refusal {
    Refusal::bad_request("`query` is missing")
}

/// The message is what clients of automatic persisted queries look for before they send the text.
fn not_found() -> Refusal {
    Refusal::graphql_new(
        StatusCode::NOT_FOUND,
        "PERSISTED_QUERY_NOT_FOUND",
        "PersistedQueryNotFound",
    )
}

fn unhex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = Hash::default();
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
