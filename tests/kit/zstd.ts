/** What hyparquet needs to read files that DuckDB wrote. */
import { zstdDecompressSync } from 'node:zlib'

export const compressors = { ZSTD: (input: Uint8Array): Uint8Array => new Uint8Array(zstdDecompressSync(input)) }
