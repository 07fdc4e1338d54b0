import { queueContract } from '../../store/contract/queue.ts'
import { MemoryQueue } from './queue.ts'

queueContract('memory', async (clock) => ({ port: new MemoryQueue(clock), close: async () => {} }))
