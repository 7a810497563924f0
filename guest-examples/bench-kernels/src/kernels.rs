//! The kernels.

use crate::input::Numbers;
use sha2::{Digest, Sha256};

pub fn sort(count: u32) -> u32 {
    let mut numbers: Vec<u32> = Numbers::new().take(count as usize).collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

pub fn sha256(bytes: u32) -> u32 {
    let input: Vec<u8> = Numbers::new().flat_map(u32::to_le_bytes).take(bytes as usize).collect();
    let digest: [u8; 32] = Sha256::digest(&input).into();
    digest.iter().fold(0, |word, byte| word.rotate_left(8) ^ u32::from(*byte))
}

pub fn json(records: u32) -> u32 {
    let mut text = String::from("[");
    for (id, number) in (0..records).zip(Numbers::new()) {
        let comma = if id == 0 { "" } else { "," };
        text.push_str(&format!(
            r#"{comma}{{"id":{id},"name":"item \"{number}\"","price":{}.{:02},"tags":["a","b"],"sold":{}}}"#,
            number % 1000,
            number % 100,
            number % 2 == 0,
        ));
    }
    text.push(']');
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let records = parsed.as_array().map(Vec::as_slice).unwrap_or_default();
    let sold = records.iter().filter(|record| record.get("sold").and_then(|sold| sold.as_bool()) == Some(true));
    sold.count() as u32
}

pub fn matrix(rows: u32) -> u32 {
    let rows = rows as usize;
    let mut numbers = Numbers::new().map(|number| f64::from(number % 1000) / 1000.0);
    let left: Vec<f64> = numbers.by_ref().take(rows * rows).collect();
    let right: Vec<f64> = numbers.take(rows * rows).collect();
    let mut product = vec![0.0; rows * rows];
    for (out, line) in product.chunks_exact_mut(rows).zip(left.chunks_exact(rows)) {
        for (factor, others) in line.iter().zip(right.chunks_exact(rows)) {
            for (cell, other) in out.iter_mut().zip(others) {
                *cell += factor * other;
            }
        }
    }
    product.iter().sum::<f64>() as u32
}
