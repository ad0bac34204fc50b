/*
 * The folder that a file is in.
 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

/*
 * A new file's name is on disk only when its folder was synced. One that we may
 * not read is passed over: nothing can be done. 0, or -1 with errno.
 */
int folder_sync(const char *path_of_file);

#endif
