import { rowsContract } from '../../store/contract/rows.ts'
import { MemoryRows } from './rows.ts'

rowsContract('memory', async () => {
  const port = new MemoryRows()
  return { port, close: () => port.close() }
})
