import { eventsContract } from '../../store/contract/events.ts'
import { MemoryEvents } from './events.ts'

eventsContract('memory', async () => ({ port: new MemoryEvents(), close: async () => {} }))
