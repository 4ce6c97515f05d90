//! Prompts: the vocabulary of findings, and the sentence that a structure becomes.
