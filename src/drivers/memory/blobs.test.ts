import { blobsContract } from '../../store/contract/blobs.ts'
import { MemoryBlobs } from './blobs.ts'

blobsContract('memory', async () => ({ port: new MemoryBlobs(), close: async () => {} }))
