//! Adapters: small weights that customise a frozen model.
