import { leasesContract } from '../../store/contract/leases.ts'
import { MemoryLeases } from './leases.ts'

leasesContract('memory', async (clock) => ({ port: new MemoryLeases(clock), close: async () => {} }))
