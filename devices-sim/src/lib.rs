//! What a sensor does, over any byte stream.
