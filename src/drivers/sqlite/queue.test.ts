import { queueContract } from '../../store/contract/queue.ts'
import { temporary } from './temporary.ts'

queueContract(
  'sqlite',
  temporary((store) => store.queue),
)
