import { queueContract } from '../../store/contract/queue.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

queueContract(
  'sqlite',
  temporary((store) => store.queue),
)
