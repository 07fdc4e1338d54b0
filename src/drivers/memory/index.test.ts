import { Analyzer } from '../../base/words.ts'
import { indexContract } from '../../store/contract/index.ts'
import { createMemoryIndex } from './index.ts'

indexContract('memory', async () => {
  const index = createMemoryIndex(new Analyzer())
  return { index, close: () => index.close() }
})
