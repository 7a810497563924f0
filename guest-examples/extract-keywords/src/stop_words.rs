//! English words that say nothing about the subject of a text.

/// Whether a lower-case word is a stop word.
pub fn contains(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// Sorted, for binary search.
#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "a", "about", "above", "across", "after", "again", "against", "ago", "all", "almost",
    "alone", "along", "already", "also", "although", "always", "am", "among", "an", "and",
    "another", "any", "anybody", "anyone", "anything", "are", "aren't", "around", "as", "at",
    "away", "back", "be", "became", "because", "become", "becomes", "been", "before", "began",
    "behind", "being", "below", "beneath", "beside", "besides", "between", "beyond", "both",
    "but", "by", "came", "can", "can't", "cannot", "come", "comes", "could", "couldn't", "did",
    "didn't", "do", "does", "doesn't", "doing", "don't", "done", "down", "during", "each",
    "either", "else", "enough", "even", "ever", "every", "everybody", "everyone", "everything",
    "everywhere", "far", "few", "fewer", "first", "five", "for", "former", "forth", "four",
    "from", "further", "gave", "get", "gets", "give", "given", "gives", "go", "goes", "going",
    "gone", "got", "great", "had", "hadn't", "half", "has", "hasn't", "have", "haven't",
    "having", "he", "hence", "her", "here", "hers", "herself", "him", "himself", "his", "how",
    "however", "i", "i'd", "i'll", "i'm", "i've", "if", "in", "indeed", "instead", "into", "is",
    "isn't", "it", "its", "itself", "just", "keep", "kept", "kind", "knew", "know", "known",
    "last", "later", "latter", "least", "less", "let", "like", "likely", "little", "long",
    "longer", "look", "made", "make", "makes", "making", "many", "may", "maybe", "me", "mean",
    "means", "might", "mine", "more", "moreover", "most", "mostly", "much", "must", "my",
    "myself", "near", "nearly", "need", "neither", "never", "nevertheless", "new", "next", "no",
    "nobody", "none", "nor", "not", "nothing", "now", "nowhere", "of", "off", "often", "old",
    "on", "once", "one", "ones", "only", "onto", "or", "other", "others", "otherwise", "our",
    "ours", "ourselves", "out", "over", "own", "part", "per", "perhaps", "put", "quite",
    "rather", "really", "said", "same", "saw", "say", "says", "second", "see", "seem", "seemed",
    "seems", "seen", "several", "shall", "she", "should", "shouldn't", "since", "six", "small",
    "so", "some", "somebody", "somehow", "someone", "something", "sometimes", "somewhere",
    "soon", "still", "such", "take", "taken", "takes", "ten", "than", "that", "the", "their",
    "theirs", "them", "themselves", "then", "there", "therefore", "these", "they", "thing",
    "things", "third", "this", "those", "though", "three", "through", "throughout", "thus",
    "till", "to", "together", "too", "took", "toward", "towards", "turn", "two", "under",
    "unless", "until", "up", "upon", "us", "use", "used", "uses", "using", "usually", "very",
    "via", "want", "wants", "was", "wasn't", "way", "ways", "we", "well", "went", "were",
    "weren't", "what", "whatever", "when", "whenever", "where", "whereas", "wherever",
    "whether", "which", "while", "who", "whoever", "whole", "whom", "whose", "why", "will",
    "with", "within", "without", "won't", "would", "wouldn't", "year", "years", "yes", "yet",
    "you", "you'd", "you'll", "you're", "you've", "your", "yours", "yourself", "yourselves",
];

#[cfg(test)]
mod tests {
    use super::{STOP_WORDS, contains};

    #[test]
    fn the_list_is_sorted_and_without_doubles() {
        assert!(STOP_WORDS.is_sorted_by(|a, b| a < b));
        assert!(contains("the"));
        assert!(!contains("river"));
    }
}
