#pragma once
#include "dataset/files.hpp"

namespace podsmith::dataset {

/// Unpacks a dataset's archive into `target`, a new folder that it makes. The archive must hold exactly the
/// files that the manifest lists, below the top folder "dataset", each with the listed size and hash, once;
/// and folders. Everything else is refused: paths that lead out, absolute ones, links, devices, names that
/// come twice, a cut or damaged archive, data behind its end. After an error `target` is gone. Kind protocol
/// for what is wrong with the archive, conflict when `target` is there, io, cancelled.
Result<void> unpack(const std::string& archive, const std::string& target, const std::vector<File>& wanted,
                    Progress& progress);

/// Puts the folder `stage` in the place of `target` (which may be there or not) by renaming; the old one is
/// removed after that. Both on one file system. Kind io.
Result<void> replace_folder(const std::string& stage, const std::string& target);

} // namespace podsmith::dataset
