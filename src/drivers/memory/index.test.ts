import { Analyzer } from '../../base/words.ts'
import { indexContract } from '../../store/contract/index.ts'
import { MemoryIndex } from './index.ts'

indexContract('memory', async () => {
  const index = new MemoryIndex(new Analyzer())
  return { index, close: () => index.close() }
})
