/** Every endpoint of the mock. */
import { MockRoutes } from '../route.ts';
import { assistantRoutes } from './assistants.ts';
import { audioRoutes } from './audio.ts';
import { completionRoutes } from './completions.ts';
import { conversationRoutes } from './conversations.ts';
import { fileRoutes } from './files.ts';
import { imageRoutes } from './images.ts';
import { modelRoutes } from './models.ts';
import { runRoutes } from './runs.ts';
import { vectorStoreRoutes } from './vector-stores.ts';

export const ROUTES = new MockRoutes([
  ...completionRoutes,
  ...modelRoutes,
  ...audioRoutes,
  ...imageRoutes,
  ...fileRoutes,
  ...conversationRoutes,
  ...assistantRoutes,
  ...runRoutes,
  ...vectorStoreRoutes,
]);
