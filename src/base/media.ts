/** What is certainly no text, by name: counted and not read. */
const BINARY =
  /\.(?:png|jpe?g|gif|webp|avif|bmp|ico|tiff?|psd|heic|mp[34]|m4[av]|mov|avi|mkv|webm|wav|flac|ogg|zip|gz|tgz|bz2|xz|zst|7z|rar|tar|jar|war|whl|deb|rpm|iso|dmg|img|exe|dll|so|dylib|a|o|obj|class|pyc|wasm|bin|dat|db|sqlite3?|parquet|npy|npz|safetensors|gguf|onnx|pt|pth|woff2?|ttf|otf|eot)$/i

export const holdsNoText = (name: string): boolean => BINARY.test(name)
