import './styles/index.css';
import './session/preferences';
import './components/icon';
import './app';

import { startRouter } from './router';
import { renew } from './session/session';

startRouter();
void renew();
