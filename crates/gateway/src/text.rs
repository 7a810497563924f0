//! Text cut to a bound.

/// What stands at the end of a text that was cut.
const CUT_MARK: &str = " … (cut)";

/// `text`, or its beginning with a mark of the cut, in at most `max` bytes.
pub(crate) fn clip(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max.saturating_sub(CUT_MARK.len()));
    let (kept, _) = text.split_at(end);
    format!("{kept}{CUT_MARK}")
}
