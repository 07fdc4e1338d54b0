import { durableLeasesContract, leasesContract } from '../../store/contract/leases.ts'
import { temporary } from '../../../tests/kit/sqlite.ts'

const open = temporary((store) => store.leases)

leasesContract('sqlite', open)
durableLeasesContract('sqlite', open)
