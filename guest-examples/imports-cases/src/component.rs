//! The functions of the world; each makes a few calls of its imports.

wit_bindgen::generate!({ path: "wit", generate_all });

use wasi::config::store as config;
use wasi::keyvalue::store::{Bucket, Error, open};
use wasi::keyvalue::{atomics, batch};
use wasi::logging::logging::{Level, log};

struct Cases;

export!(Cases);

impl Guest for Cases {
    fn configured(key: Option<String>) -> Vec<String> {
        match key {
            Some(key) => config::get(&key).ok().flatten().into_iter().collect(),
            None => {
                let all = config::get_all().unwrap_or_default();
                all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
            }
        }
    }

    fn keep(bucket: String, pairs: Vec<(String, String)>) -> Result<Vec<String>, String> {
        let bucket = opened(&bucket)?;
        match <[(String, String); 1]>::try_from(pairs) {
            Ok([(key, value)]) => bucket.set(&key, value.as_bytes()).map_err(shown)?,
            Err(pairs) => {
                let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key, value.into_bytes())).collect();
                batch::set_many(&bucket, &pairs).map_err(shown)?;
            }
        }
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = bucket.list_keys(cursor).map_err(shown)?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    fn find(bucket: String, keys: Vec<String>) -> Result<Vec<String>, String> {
        let bucket = opened(&bucket)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let missing = || "-".to_owned();
        if let [key] = keys.as_slice() {
            let value = bucket.get(key).map_err(shown)?;
            return Ok(vec![value.map_or_else(missing, text)]);
        }
        let found = batch::get_many(&bucket, &keys).map_err(shown)?;
        Ok(found.into_iter().map(|pair| pair.map_or_else(missing, |(_, value)| text(value))).collect())
    }

    fn forget(bucket: String, key: String) -> Result<bool, String> {
        let bucket = opened(&bucket)?;
        bucket.delete(&key).map_err(shown)?;
        batch::delete_many(&bucket, &[key.clone()]).map_err(shown)?;
        bucket.exists(&key).map_err(shown)
    }

    fn count(bucket: String, key: String, delta: u64) -> Result<u64, String> {
        atomics::increment(&opened(&bucket)?, &key, delta).map_err(shown)
    }

    fn note(message: String) {
        log(Level::Warn, "cases", &message);
    }
}

fn opened(name: &str) -> Result<Bucket, String> {
    open(name).map_err(shown)
}

fn shown(error: Error) -> String {
    match error {
        Error::NoSuchStore => "no such store".to_owned(),
        Error::AccessDenied => "access denied".to_owned(),
        Error::Other(text) => text,
    }
}
