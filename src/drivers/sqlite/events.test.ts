import { eventsContract } from '../../store/contract/events.ts'
import { temporary } from './temporary.ts'

eventsContract(
  'sqlite',
  temporary((store) => store.events),
)
