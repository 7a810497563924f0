//! The ranking: how often a word occurs, in how many sentences, and whether in the title.
//!
//! 1. Words are runs of letters with inner apostrophes and hyphens, lower-cased,
//!    of three letters or more. A possessive `'s` is dropped.
//! 2. Stop words are dropped, because they say nothing about the subject.
//! 3. A plural is counted as its singular if both occur in the text.
//! 4. A word's score is `(1 + ln count) × (1 + ln sentences) × title`. Each repetition
//!    adds less than the one before, and repetitions in many sentences add more than in
//!    one sentence. `title` is 1.5 for a word of the first line, if an empty line follows
//!    and the line does not end like a sentence; otherwise it is 1.
//!
//! Words of equal score are in the order of their first occurrence, so the same text
//! always gives the same result.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::stop_words;

const WORD_MIN_LETTERS: usize = 3;
const TITLE_WEIGHT: f64 = 1.5;

/// The result, as it is written to standard output.
#[derive(Debug, Serialize)]
pub struct Report {
    pub keywords: Vec<Keyword>,
    /// The number of all words of the text, with stop words.
    pub words: usize,
}

#[derive(Debug, Serialize)]
pub struct Keyword {
    pub word: String,
    /// Rounded to three decimals.
    pub score: f64,
    pub count: usize,
}

/// The words with the highest scores, at most `limit`, highest first.
pub fn extract(text: &str, limit: usize) -> Report {
    let mut tally = Tally::default();
    let (title, body) = split_title(text);
    tally.sentence(title.unwrap_or_default(), true);
    for sentence in sentences(body) {
        tally.sentence(sentence, false);
    }
    let words = tally.words;

    let mut keywords = tally.fold_plurals();
    keywords.sort_by(|a, b| b.score().total_cmp(&a.score()).then(a.first.cmp(&b.first)));
    let keywords = keywords.into_iter().take(limit).map(Candidate::into_keyword).collect();
    Report { keywords, words }
}

/// The title and the rest: the title is the first line, if an empty line follows and it
/// is no sentence.
fn split_title(text: &str) -> (Option<&str>, &str) {
    let text = text.trim_start();
    let Some((first, rest)) = text.split_once('\n') else {
        return (None, text);
    };
    let stands_alone = rest.lines().next().is_some_and(|line| line.trim().is_empty());
    if stands_alone && !first.trim_end().ends_with(['.', '!', '?']) {
        (Some(first), rest)
    } else {
        (None, text)
    }
}

/// Splits a text into sentences, exactly enough for counting: abbreviations and ends of
/// paragraphs end a sentence too.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").flat_map(|paragraph| paragraph.split(['.', '!', '?', ';']))
}

#[derive(Debug, Default)]
struct Tally {
    words: usize,
    sentences: usize,
    /// Ordered, because plurals are merged in this order and the result must not vary.
    candidates: BTreeMap<String, Candidate>,
}

#[derive(Debug, Default)]
struct Candidate {
    word: String,
    count: usize,
    sentences: BTreeSet<usize>,
    in_title: bool,
    /// The number of the word at its first occurrence.
    first: usize,
}

impl Tally {
    fn sentence(&mut self, sentence: &str, is_title: bool) {
        self.sentences += 1;
        for word in words(sentence) {
            self.words += 1;
            if word.chars().count() < WORD_MIN_LETTERS || stop_words::contains(&word) {
                continue;
            }
            let candidate = self.candidates.entry(word).or_insert_with_key(|word| Candidate {
                word: word.clone(),
                first: self.words,
                ..Candidate::default()
            });
            candidate.count += 1;
            candidate.in_title |= is_title;
            candidate.sentences.insert(self.sentences);
        }
    }

    /// Counts a plural as its singular if the text has both.
    fn fold_plurals(mut self) -> Vec<Candidate> {
        let plurals: Vec<(String, String)> = self
            .candidates
            .keys()
            .filter_map(|word| {
                let singular = singulars(word).find(|singular| self.candidates.contains_key(singular))?;
                Some((word.clone(), singular))
            })
            .collect();
        for (plural, singular) in plurals {
            // The singular may itself be a plural that was merged before.
            if self.candidates.contains_key(&singular)
                && let Some(folded) = self.candidates.remove(&plural)
                && let Some(candidate) = self.candidates.get_mut(&singular)
            {
                candidate.count += folded.count;
                candidate.in_title |= folded.in_title;
                candidate.first = candidate.first.min(folded.first);
                candidate.sentences.extend(folded.sentences);
            }
        }
        self.candidates.into_values().collect()
    }
}

impl Candidate {
    fn score(&self) -> f64 {
        let title = if self.in_title { TITLE_WEIGHT } else { 1.0 };
        (1.0 + (self.count as f64).ln()) * (1.0 + (self.sentences.len() as f64).ln()) * title
    }

    fn into_keyword(self) -> Keyword {
        let score = (self.score() * 1000.0).round() / 1000.0;
        Keyword { word: self.word, score, count: self.count }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphabetic() && !matches!(character, '\'' | '’' | '-'))
        .filter_map(|run| {
            let word = run.trim_matches(['\'', '’', '-']).to_lowercase().replace('’', "'");
            let word = word.strip_suffix("'s").unwrap_or(&word);
            (!word.is_empty()).then(|| word.to_owned())
        })
}

/// The possible singulars of the word, by its ending.
fn singulars(word: &str) -> impl Iterator<Item = String> {
    let with = |suffix: &str, ending: &str| {
        let stem = word.strip_suffix(suffix).filter(|_| !word.ends_with("ss"))?;
        Some(format!("{stem}{ending}"))
    };
    [with("ies", "y"), with("s", ""), with("es", "")].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::{extract, singulars, split_title, words};

    fn check(text: &str, expected: &[(&str, usize)]) {
        let report = extract(text, 3);
        let found: Vec<_> =
            report.keywords.iter().map(|keyword| (keyword.word.as_str(), keyword.count)).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn frequent_words_win_and_stop_words_do_not() {
        check("The river and the boat. The river is the river.", &[("river", 3), ("boat", 1)]);
        check("", &[]);
        check("The and of, to: in!", &[]);
    }

    #[test]
    fn spread_counts_for_more_than_a_cluster() {
        check("Stone stone. Water here. Water there.", &[("water", 2), ("stone", 2)]);
    }

    #[test]
    fn the_title_lifts_its_words() {
        check("Bridges\n\nTowers, bridges, towers.", &[("bridges", 2), ("towers", 2)]);
        check("Bridges.\n\nTowers, tower cranes.", &[("tower", 2), ("bridges", 1), ("cranes", 1)]);
        assert_eq!(split_title("No title here\nat all").0, None);
        assert_eq!(split_title("\n\nA title\n\nand text").0, Some("A title"));
    }

    #[test]
    fn plurals_fold_only_where_the_singular_occurs() {
        check("City. Cities. Cities.", &[("city", 3)]);
        check("Cities. Cities.", &[("cities", 2)]);
        check("Arch, arches; glass.", &[("arch", 2), ("glass", 1)]);
        check("Prince, princes, princess.", &[("prince", 2), ("princess", 1)]);
        assert_eq!(singulars("boxes").collect::<Vec<_>>(), ["boxe", "box"]);
    }

    #[test]
    fn words_keep_inner_marks_only() {
        let found: Vec<_> = words("The engineer’s well-known 'tower' -- 42 d’Arcy").collect();
        assert_eq!(found, ["the", "engineer", "well-known", "tower", "d'arcy"]);
    }

    #[test]
    fn ties_keep_the_order_of_the_text() {
        check("Zinc, iron, copper, lead", &[("zinc", 1), ("iron", 1), ("copper", 1)]);
    }

    #[test]
    fn the_article_is_about_what_it_says() {
        let report = extract(include_str!("../article.txt"), 5);
        let found: Vec<_> = report.keywords.iter().map(|keyword| keyword.word.as_str()).collect();
        assert_eq!(found.first(), Some(&"bridge"), "{found:?}");
        assert!((600..=900).contains(&report.words), "{} words", report.words);
    }
}
