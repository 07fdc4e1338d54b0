import { durableQueueContract, queueContract } from '../../store/contract/queue.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

const open = temporary((store) => store.queue)

queueContract('sqlite', open)
durableQueueContract('sqlite', open)
