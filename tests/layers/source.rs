//! Just enough of Rust's grammar to know what a file names: identifiers and paths, without
//! comments and literals.

/// A piece of source text that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    PathSeparator,
    Open,
    Close,
    Other(char),
}

/// Splits source text into tokens; comments, strings, characters and lifetimes vanish.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let mut index = 0;
    while index < characters.len() {
        let here = at(index);
        if here == '/' && at(index + 1) == '/' {
            while index < characters.len() && at(index) != '\n' {
                index += 1;
            }
        } else if here == '/' && at(index + 1) == '*' {
            index = after_block_comment(&characters, index);
        } else if let Some(end) = after_raw_string(&characters, index) {
            index = end;
        } else if here == '"' {
            index = after_string(&characters, index);
        } else if here == '\'' {
            index = after_quote(&characters, index);
        } else if here.is_alphabetic() || here == '_' {
            let start = index;
            while at(index).is_alphanumeric() || at(index) == '_' {
                index += 1;
            }
            found.push(Token::Word(characters[start..index].iter().collect()));
        } else if here == ':' && at(index + 1) == ':' {
            found.push(Token::PathSeparator);
            index += 2;
        } else {
            match here {
                '{' => found.push(Token::Open),
                '}' => found.push(Token::Close),
                _ if here.is_whitespace() => {}
                _ => found.push(Token::Other(here)),
            }
            index += 1;
        }
    }
    found
}

fn after_block_comment(characters: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut index = start;
    while index < characters.len() {
        match characters[index..].get(..2) {
            Some(['/', '*']) => (depth, index) = (depth + 1, index + 2),
            Some(['*', '/']) => {
                (depth, index) = (depth - 1, index + 2);
                if depth == 0 {
                    return index;
                }
            }
            _ => index += 1,
        }
    }
    index
}

/// `r"…"`, `r#"…"#` and their byte forms.
fn after_raw_string(characters: &[char], start: usize) -> Option<usize> {
    if start > 0 && (characters[start - 1].is_alphanumeric() || characters[start - 1] == '_') {
        return None;
    }
    let mut index = start;
    if matches!(characters.get(index), Some('b' | 'c')) {
        index += 1;
    }
    if characters.get(index) != Some(&'r') {
        return None;
    }
    index += 1;
    let hashes = characters[index..].iter().take_while(|c| **c == '#').count();
    index += hashes;
    if characters.get(index) != Some(&'"') {
        return None;
    }
    index += 1;
    while index < characters.len() {
        let closes = characters[index] == '"'
            && characters[index + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        if closes {
            return Some(index + 1 + hashes);
        }
        index += 1;
    }
    Some(index)
}

fn after_string(characters: &[char], start: usize) -> usize {
    let mut index = start + 1;
    while index < characters.len() && characters[index] != '"' {
        index += if characters[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

/// A character literal, or a lifetime's mark alone.
fn after_quote(characters: &[char], start: usize) -> usize {
    if characters.get(start + 1) == Some(&'\\') {
        let mut index = start + 3;
        while index < characters.len() && characters[index] != '\'' {
            index += 1;
        }
        return index + 1;
    }
    if characters.get(start + 2) == Some(&'\'') { start + 3 } else { start + 1 }
}

/// Every path that the tokens name, `use` trees spread out, resolved against the module that it
/// stands in. A path inside the crate begins with `crate`.
pub(super) fn paths(tokens: &[Token], module: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    // Modules written in this file, each with the depth of braces where it opened.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut index = 0;
    while index < tokens.len() {
        match &tokens[index] {
            Token::Open => depth += 1,
            Token::Close => {
                depth = depth.saturating_sub(1);
                if inner.last().is_some_and(|(_, opened)| *opened == depth) {
                    inner.pop();
                }
            }
            Token::Word(word) if word == "mod" => {
                if let (Some(Token::Word(name)), Some(Token::Open)) =
                    (tokens.get(index + 1), tokens.get(index + 2))
                {
                    inner.push((name.clone(), depth));
                }
            }
            Token::Word(_) => {
                let continues = index > 0 && tokens[index - 1] == Token::PathSeparator;
                let used = index > 0 && tokens[index - 1] == Token::Word("use".to_owned());
                if !continues && (used || tokens.get(index + 1) == Some(&Token::PathSeparator)) {
                    let mut here = module.to_vec();
                    here.extend(inner.iter().map(|(name, _)| name.clone()));
                    let (spread, end) = tree(tokens, index, &[]);
                    found.extend(spread.into_iter().map(|path| resolve(path, &here)));
                    // Braces of the tree are read over; they open and close within it.
                    index = end.max(index + 1);
                    continue;
                }
            }
            Token::PathSeparator | Token::Other(_) => {}
        }
        index += 1;
    }
    found
}

/// Reads one tree of a path from `index`; returns its paths and where it ends.
fn tree(tokens: &[Token], mut index: usize, prefix: &[String]) -> (Vec<Vec<String>>, usize) {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(index) {
            Some(Token::Word(word)) => path.push(word.clone()),
            Some(Token::Other('*')) => path.push("*".to_owned()),
            Some(Token::Open) => {
                let mut all = Vec::new();
                index += 1;
                while !matches!(tokens.get(index), Some(Token::Close) | None) {
                    let (found, end) = tree(tokens, index, &path);
                    all.extend(found);
                    // `as name` and commas are no part of a path.
                    index = end.max(index + 1);
                    while !matches!(
                        tokens.get(index),
                        Some(Token::Close | Token::Other(',')) | None
                    ) {
                        index += 1;
                    }
                    if tokens.get(index) == Some(&Token::Other(',')) {
                        index += 1;
                    }
                }
                return (all, index + 1);
            }
            _ => return (vec![path], index),
        }
        index += 1;
        if tokens.get(index) != Some(&Token::PathSeparator) {
            return (vec![path], index);
        }
        index += 1;
    }
}

fn resolve(path: Vec<String>, module: &[String]) -> Vec<String> {
    match path.first().map(String::as_str) {
        Some("self" | "super") => {
            let mut place = module.to_vec();
            let mut rest = path.iter();
            for word in rest.by_ref() {
                match word.as_str() {
                    "self" => {}
                    "super" => {
                        place.pop();
                    }
                    other => {
                        place.push(other.to_owned());
                        break;
                    }
                }
            }
            place.extend(rest.cloned());
            std::iter::once("crate".to_owned()).chain(place).collect()
        }
        _ => path,
    }
}

/// The module path of a file under `src`: `train/lora.rs` is `[train, lora]`.
pub(super) fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}
